# The files with kernels, in the order of a step.
set(ambit_cuda_kernels streams hc linear linear_many latents queries index top_k attention norm moe lend sample)
