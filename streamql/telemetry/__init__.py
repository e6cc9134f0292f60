"""How a running job is watched from outside: figures and health over HTTP, traces."""
