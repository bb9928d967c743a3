"""Draw: a digit drawn by mouse or keys, and what saved runs take it for."""
