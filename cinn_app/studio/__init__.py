"""The studio: a web page over the systems, with a room for each. It works without a network and reports to nobody."""

import os

from cinn_app.studio.server.startup import without_stubs

# Read by gradio and huggingface_hub when they are imported, so set before any file of the studio imports them.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
# After each event gradio makes a table of so many last ones, which nobody sees; of 10,000 if it is not told.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "10"

with without_stubs():
    import gradio  # noqa: F401  # here for its speed; each file of the studio imports it for itself
