"""The studio: a web page over the systems, one file per tab. It works without a network and reports to nobody."""

import os

# Read by gradio and huggingface_hub when they are imported, so set before any file of the studio imports them.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
