"""A Ray cluster of several nodes on this machine, as a process: prints its addresses, and obeys a line on its input.

The first line of its output is the address of the head node, the second that of its server for clients. `kill` ends
the node that was started last, as if its machine had died; at the end of the input all end.
"""

import os
import socket
import sys
import tempfile

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
os.environ |= {"RAY_worker_niceness": "0"}  # With Ray's 15, trainers beside other tests get no processor.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # With it the server for clients at times fails to fork one for a client.


def main(nodes: int, cpus: int) -> None:
    """Starts a head node without processors, which only serves, and nodes that train."""
    with tempfile.TemporaryDirectory(prefix="ray-test-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        from ray.cluster_utils import Cluster

        port = _free_port()
        arguments = {"num_cpus": 0, "ray_client_server_port": port, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        workers = [cluster.add_node(num_cpus=cpus, wait=False) for _ in range(nodes)]
        cluster.wait_for_nodes()
        print(cluster.address, f"ray://127.0.0.1:{port}", sep="\n", flush=True)
        for line in sys.stdin:
            if line.strip() == "kill":
                cluster.remove_node(workers.pop(), allow_graceful=False)
                print("killed", flush=True)
            elif line.strip() == "add":
                workers.append(cluster.add_node(num_cpus=cpus))
                print("added", flush=True)
        cluster.shutdown()


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
