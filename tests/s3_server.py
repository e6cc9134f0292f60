"""An object store of the tests' own that speaks S3 (moto), on a free loopback port."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / ".venv-servers" / "bin" / "moto_server"
MISSING = f"these tests start an S3 server themselves, {PROGRAM}: `make test` installs it"
BUCKET = "rides"


class S3Server:
    """The server, with one bucket; what is in it is in memory."""

    def __init__(self) -> None:
        assert PROGRAM.exists(), MISSING
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it on its port, empty."""
        self._process = subprocess.Popen(
            [str(PROGRAM), "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "the S3 server does not start"
                time.sleep(0.02)
        self.files().create_dir(BUCKET)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def uri(self, folder: str, bucket: str = BUCKET) -> str:
        """Return the URI of a folder."""
        at = f"endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"
        return f"s3://AKIDRIDES:s%2Fecret@{bucket}/{folder}?{at}"

    def files(self):
        """Return its file system."""
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            access_key="AKIDRIDES",
            secret_key="s/ecret",
            endpoint_override=f"127.0.0.1:{self.port}",
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, from it on."""
        from pyarrow.fs import FileSelector

        root = f"{BUCKET}/{folder}"
        found = self.files().get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        return sorted(info.path[len(root) + 1 :] for info in found if info.is_file)
