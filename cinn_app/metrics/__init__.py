"""Metrics of samples and pictures: functions of tensors that know no model."""
