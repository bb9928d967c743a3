"""mnist-tui: the terminal laboratory for small image classifiers. This is the map of the house.

A model and a recipe are PyTorch calls as data, a `RunSpec` holds them, training is a generator of events, and the run
folder is written as the run goes. Imports point one way, from the top of this list to its bottom:

    cli.py           arguments to specs and options; exit codes of everything that goes wrong before a run
    cli_config.py    `mnist-tui config`: settings with their origins      cli_runs.py  the commands on saved runs
    tui/             the dashboard: app.py and its three modes, lab.py over design.py, runs_screen.py and
                     compare_screen.py over shelf.py, a file for every pane and dialog; runner.py, the thread that
                     trains; leaving.py, how it ends
    headless.py      events as lines or JSON, signals, exit codes         doctor.py  what this machine has
    session.py       a run from end to end: data + training + folder, as events; resume, extend
    preview.py       digits as the network is fed them, the rate to come  checkpoint.py  a training as bytes and back
    predict.py       the network of a run folder, and what it says about digits
    train.py         the loop as a generator of events; evaluation
    step.py          one step on the device, made to be captured as a CUDA graph      batches.py  batches made ahead
    build.py         spec to network, loss, optimizer, scheduler          data.py  MNIST or digits; seeded splits
    augment.py       batched augmentation     download.py  MNIST's files      environment.py  device, threads, versions
    fast.py          the same network in less time                        vector.py  all weights in one vector
    norm.py          batch normalisation, and pooling after it, on rows of pixels
                     ---- torch from here up; nothing below loads it (nor does tui/ before its first frame) ----
    markdown.py      runs and comparisons for a README                    plots.py  accuracies as a plot in text
    tables.py        runs and comparisons as text and JSON
    comparison.py    whether a difference can be told from noise          differences.py  what differs between runs
    filters.py       the language that chooses runs                       columns.py  what the table of runs can show
    listing.py       the folders of a runs directory, live                statistics.py  intervals and tests
    runs.py          a run folder as facts                                annotations.py  notes, tags, trash, copies
    watch.py         the events of a run, read from its folder            storage.py  the run folder: writer, readers
    draft.py         a run while it is designed: texts of a form, checked  changes.py  two designs beside each other
    presets.py       finds, reads and writes models/*.toml                summary.py  the layer table as text
    settings.py      what the user set for good, and used last            verdict.py  the target, part by part
    spec.py          RunSpec, TrainSpec, Target, Reported: all that a person may set, checked when it is made
    network.py       layers one after the other: shapes, parameters, cost, receptive field
    catalog.py       the optimizers, schedulers, losses and transforms that a recipe may call
    layers.py        the kinds of layer, each with torch.nn's arguments   arguments.py  what an argument may be
    config.py        what a setting may be
    calls.py         one PyTorch call as data                             events.py  what happens in a run
    control.py       stop, pause, go on, one step, another rate: from a thread, or through the run folder
    guard.py         the dashboard's parent, which restores the terminal  telemetry.py  how busy the device is
    options.py  request.py  terminal.py     where a run happens; what the laboratory opens with; what a terminal can
    files.py         bounded reads, atomic writes                         text.py  text from outside, made safe to show
    editor.py        the user's editor on one file                        sparkline.py  accuracies in one line of blocks

The presets are in models/, beside this package in a checkout and inside it in a wheel.
"""
