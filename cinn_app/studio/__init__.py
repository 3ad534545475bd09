"""The studio: a web page with a room for each system. It works without a network and sends nothing to anyone."""

import os

# gradio and huggingface_hub read these when they are imported.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

from cinn_app.studio import gradio_workarounds  # noqa: F401  # imports gradio the fast way, before anything else does
