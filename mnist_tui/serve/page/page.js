// Tells textual.js, which runs when the page is loaded, where the WebSocket is and how large the letters are.
const terminal = document.getElementById("terminal");
terminal.dataset.sessionWebsocketUrl = location.origin.replace(/^http/, "ws") + "/ws";
terminal.dataset.fontSize = Number(new URLSearchParams(location.search).get("fontsize")) || 16;
// textual.js opens the terminal in its own load handler, which follows this one: letters are keys at once.
window.addEventListener("load", () => setTimeout(() => document.querySelector(".xterm-helper-textarea").focus()));
document.getElementById("again").addEventListener("click", () => location.reload());
