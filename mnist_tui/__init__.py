"""mnist-tui: the terminal laboratory for small image classifiers. This is the map of the house.

A model and a recipe are PyTorch calls as data, a `RunSpec` holds them, training is a generator of events, and the run
folder is written as the run goes. Each package has its own folder; imports point from the top of this list to its
bottom, and `lint-imports` checks it:

    cli/        the command line: main.py (arguments, exit codes), runs.py (commands on saved runs), config.py,
                headless.py (events as lines or JSON), doctor.py
    tui/        the dashboard: app.py and its three modes; runner.py, the thread that trains; what all screens share
      lab/      screen.py (train, watch) over design.py (a form, a network, previews); a file for every pane and dialog
      runs/     screen.py, the table of every run folder and what is told of one; run_screen.py, an opened run
      compare/  screen.py and overlay.py, the curves of several runs
      charts/   track.py (a run as it is drawn), curves.py, canvas.py (braille dots), plot.py, chart.py, zoom.py
    training/   from a spec to a trained network: session.py (a run from end to end), resume.py (resume, extend),
                loop.py (the generator of events), state.py (Training, the state between two steps), step.py,
                evaluation.py, checkpoint.py, batches.py, augment.py, data.py, download.py, build.py,
                environment.py, estimate.py (expected seconds); fusion.py, batch_norm.py and flat_parameters.py make it
                fast; preview.py, predict.py and warm_up.py, for the laboratory. Only here is torch used.
    analysis/   what saved runs say: statistics.py, comparison.py, run_diff.py; tables.py, markdown.py, plots.py (text)
    runs/       what happens in a run: events.py, control.py (stop, pause, another rate); what is on disk: storage.py
                (writer and readers), follow.py (a run that another process trains), record.py (a run as facts),
                index.py (the folders of a runs directory), annotations.py (notes, tags, trash); what is shown of it:
                columns.py, filters.py, sparkline.py, verdict.py (the target, part by part)
    settings/   settings.py (what a person set for good, and where each value comes from), kinds.py, last_used.py
    spec/       what a person may write: calls.py (one PyTorch call as data), layers.py, layer_arguments.py, catalog.py
                (optimizers, schedulers, losses, transforms), run_spec.py, run_options.py (device, data, folders),
                presets.py; what follows from it: network.py (shapes, parameters, cost, receptive field), summary.py,
                layer_diff.py; draft.py and draft_history.py, a run while it is designed
    editor.py   the user's editor on one file
    files.py    bounded reads, atomic writes
    text.py     text from outside, made safe to show

`spec`, `settings`, `runs` and `analysis` load no torch, so that what needs none answers at once; neither does the
dashboard before its first frame. The presets are in models/, beside this package in a checkout and inside it in a
wheel. The folders of tests/ are those of the package; tests/system/ holds what kills processes, fills disks, uses real
terminals or builds wheels.
"""
