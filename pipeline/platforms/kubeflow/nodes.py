"""How a Kubernetes cluster's nodes say which GPU model they carry."""

GPU_NODE_LABELS = {"gke": "cloud.google.com/gke-accelerator", "nvidia": "nvidia.com/gpu.product"}
"""Node label that names the GPU model, by `KubeflowSettings.gpu_nodes`."""

GPU_MODELS = {
    "gke": {
        "nvidia-t4": "nvidia-tesla-t4",
        "nvidia-l4": "nvidia-l4",
        "nvidia-v100": "nvidia-tesla-v100",
        "nvidia-a100-40gb": "nvidia-tesla-a100",
        "nvidia-a100-80gb": "nvidia-a100-80gb",
        "nvidia-h100-80gb": "nvidia-h100-80gb",
    },
    "nvidia": {
        "nvidia-t4": "Tesla-T4",
        "nvidia-l4": "NVIDIA-L4",
        "nvidia-v100": "Tesla-V100-SXM2-16GB",
        "nvidia-a100-40gb": "NVIDIA-A100-SXM4-40GB",
        "nvidia-a100-80gb": "NVIDIA-A100-SXM4-80GB",
        "nvidia-h100-80gb": "NVIDIA-H100-80GB-HBM3",
    },
}
"""The label's value for each GPU model of the settings, by `KubeflowSettings.gpu_nodes`."""
