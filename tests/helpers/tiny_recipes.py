"""Recipes of the smallest models there are, as TOML files would give them."""

TINY_TRAINING = {
    "steps": 10,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "weight_decay": 0,
    "warmup_steps": 1,
    "gradient_clip": 1,
    "ema_decay": 0.9,
    "seed": 0,
}

TINY_RECIPE = {
    "name": "tiny",
    "system": "colorization",
    "description": "Random colours, for the tests",
    "licence": "CC0-1.0",
    "architecture": {
        "encoder": "tf_efficientnet_lite0",
        "pyramid_widths": [8, 8, 8, 8, 8],
        "pyramid_blocks": [0, 0, 0, 0, 0],
        "attention_layers": 1,
        "condition_channels": [4, 4, 4, 4],
        "couplings": [2, 2, 2, 2],
        "subnet_widths": [8, 8, 8, 8],
        "clamp": 0.6,
        "mixing_seed": 0,
    },
    "data": {"size": 64, "views_sharp": 1, "views_enlarged": 1, "aged": 0, "held_out": 0.1, "seed": 0},
    "objective": {"noise": 0.05, "mean_weight": 1, "flow_share": 0.5},
    "training": TINY_TRAINING | {"encoder_pace": 0.5},
    "sampling": {"temperature": [0.3, 0.4, 0.6, 0.85], "tint": [3.0, 4.0], "vividness": 1.2, "vividness_spread": 0.2},
}

TINY_DIGITS_RECIPE = {
    "name": "tiny-digits",
    "system": "digits",
    "description": "Random scrawls, for the tests",
    "licence": "CC0-1.0",
    "architecture": {
        "margin": 0.01,
        "label_channels": 2,
        "feature_width": 8,
        "feature_blocks": 1,
        "couplings": [2, 2],
        "subnet_widths": [8, 8],
        "dense_couplings": [2, 3],
        "dense_width": 8,
        "dropout": 0.0,
        "context_width": 4,
        "bins": 4,
        "bound": 4.0,
        "clamp": 1.0,
        "mixing_seed": 0,
    },
    "data": {"held_out": 20},
    "objective": {"fine_share": 0.5},
    "training": TINY_TRAINING,
    "sampling": {"temperature": 0.8},
}
