"""Why the studio may not start, and what it then says."""

import socket

import pytest

from cinn_app.errors import CheckpointError, CinnError
from cinn_app.studio.app import serve


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CinnError, match=f"^Port {port} is taken: stop the program that uses it, or choose"):
            serve(port=port, model="not even looked for")


def test_an_address_of_another_computer_is_refused() -> None:
    with pytest.raises(CinnError, match=r"^192\.0\.2\.1 is no address of this computer: use 127\.0\.0\.1"):
        serve(host="192.0.2.1", model="not even looked for")


def test_a_missing_model_is_named(free_port: int) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at nowhere"):
        serve(port=free_port, model="nowhere")
