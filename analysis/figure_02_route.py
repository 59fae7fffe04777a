"""Figure 2. One image's route below the image, its labels and its segmentation."""

import routeviz as rv
from routeviz.bundled import bundled_data

net = rv.load_checkpoint(bundled_data("checkpoints/scenes/checkpoints/step-006000.safetensors"))
scenes = rv.open_dataset("scenes", split="val")
sample = scenes[4]
out = net(net.preprocess(sample.image)[None])
axes = rv.plot_route(
    rv.Route(net.space, out.gates[0].detach().numpy(), name=sample.id),
    image=sample.image,
    label=sample.label,
    prediction=out.logits.argmax(1)[0].numpy(),
    class_names=scenes.class_names,
    class_colors=scenes.class_colors,
)
rv.save_figure(axes, "figures/route")
