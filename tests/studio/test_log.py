"""The log says where an error came from, and repeats no names that a visitor made up."""

import pytest

from cinn_app.studio.log import log_error
from cinn_app.studio.refusals import _explain


def test_a_wrong_parameter_is_answered_but_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = TypeError("Parameter `my secret` is not a valid key-word argument. Please click on 'view API'.")
    assert "`my secret` is not a valid" in str(_explain(error).sentence)
    _explain(KeyError("/my secret"))
    assert len(caplog.messages) == 2 and "secret" not in caplog.text and "TypeError at" in caplog.text


def test_a_message_that_is_logged_stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log_error(ValueError("a\nb\x1b"))
    assert caplog.messages == ["ValueError: 'a\\nb\\x1b' at "]
