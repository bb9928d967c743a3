"""mnist-tui: the terminal laboratory for small image classifiers. This is the map of the house.

A model and a recipe are PyTorch calls as data, a `RunSpec` holds them, training is a generator of events, and the run
folder is written as the run goes. Each package has its own folder; imports point from the top of this list to its
bottom, and `lint-imports` checks it:

    cli/        the command line: main.py (arguments, exit codes), runs.py (commands on saved runs), config.py,
                headless.py (events as lines or JSON), doctor.py
    tui/        the dashboard: app.py and its modes (modes.py); runner.py, the thread that trains; what all screens
                share: messages.py, background.py (a worker thread), dialogs.py, advice_list.py, help.py, keys.py,
                status.py, themes.py
      lab/      screen.py connects the parts: design.py (what is designed, undo), design_panes.py (the panes that edit
                it), run_control.py, training.py (the run as curves), previews.py, predictor.py, rate_finder.py,
                lines.py, jobs.py (for the worker thread); panes.py folds; a file for each pane and dialog
      runs/     screen.py, the table of all run folders and details of one; run_screen.py, the views of an opened run
      compare/  screen.py and overlay.py, the curves of several runs
      charts/   track.py (a run as it is drawn), curves.py, canvas.py (braille dots), plot.py, chart.py, zoom.py,
                rates_plot.py (the learning-rate finder)
    training/   from a spec to a trained network: session.py (a run from end to end, resume, extend), loop.py, step.py,
                batches.py, augment.py, data.py, download.py, build.py, checkpoint.py, environment.py; fusion.py,
                batch_norm.py and flat_parameters.py make it fast; preview.py and predict.py, for the laboratory;
                activations.py (layer outputs, Grad-CAM, occlusion: analysis that needs the network itself).
                Only here is torch used.
    analysis/   what saved runs say: statistics.py, comparison.py, run_diff.py; tables.py, markdown.py, plots.py (text);
                saved_predictions.py (the reader of predictions.npz), confusion.py, mistakes.py, label_errors.py (of
                MNIST's test set), calibration.py; run_analysis.py (all of it for one run or two), analysis_report.py
                (as text and JSON), images.py (pictures and matrices as text); coach.py (the rules' registry) over
                coach_curves.py, coach_network.py, coach_target.py (the rules), coach_evidence.py, coach_edits.py
    runs/       what happens in a run: events.py, metrics.py (the registry of an epoch's numbers), control.py (stop,
                pause, another rate); what is on disk: storage.py (the writer, checkpoints), history.py (rows),
                annotations.py (notes, tags), lock.py, reader.py (run.json, end.json), record.py and spec_text.py (a run
                as facts), index.py (the scan of a runs directory), follow.py (a run that another process trains),
                trash.py, archive.py (copies); what is shown of it: columns.py, filters.py, sparkline.py, verdict.py
                batches.py, augment.py, data.py, download.py, build.py, composite_modules.py, checkpoint.py,
                environment.py; fusion.py, batch_norm.py and flat_parameters.py make it fast; preview.py and predict.py,
                for the laboratory. Only here is torch used.
                lr_finder.py (which learning rate), classify.py (saved runs on drawn digits). Only here is torch used.
    analysis/   what saved runs say: statistics.py, comparison.py, run_diff.py; tables.py, markdown.py, plots.py (text)
    runs/       what happens in a run: events.py, control.py (stop, pause, another rate); what is on disk: storage.py
                (writer and readers), follow.py (a run that another process trains), record.py (a run as facts),
                index.py (the folders of a runs directory), annotations.py (notes, tags, trash); what is shown of it:
                columns.py, filters.py, sparkline.py, verdict.py (the target, part by part); lr_range.py (the events and
                suggestions of the learning-rate finder)
    settings/   settings.py (what a person set for good, and where each value comes from), kinds.py, last_used.py
    spec/       what a person may write: calls.py (one PyTorch call as data), catalog.py (optimizers, schedulers,
                losses, transforms), recipe.py, run_spec.py (network, recipe, target), run_options.py (device, data,
                folders), presets.py, typed_settings.py (`--set`), validation_errors.py; what follows from it:
                network.py (the layer table), summary.py (the table as text), layer_diff.py; a run while it is
                designed: draft.py, draft_fields.py (its form), draft_check.py (its mistakes), draft_history.py
      layers/   every layer type: registry.py (`LAYER_TYPES`), the rules by family (convolution.py, pooling.py,
                normalization.py, activation.py, dropout.py, reshaping.py, composite.py: layers made of layers),
                argument_types.py, signatures.py, shapes.py, rows.py (shape, cost and receptive field of one layer)
    spec/       what a person may write: calls.py (one PyTorch call as data), layers.py, layer_arguments.py, catalog.py
                (optimizers, schedulers, losses, transforms), run_spec.py, run_options.py (device, data, folders),
                presets.py; what follows from it: network.py (shapes, parameters, cost, receptive field), summary.py,
                layer_diff.py; learning_rate.py (the settings a rate is put in); draft.py and draft_history.py, a run
                while it is designed
    images/     drawn and photographed digits: read.py (PNG, JPEG), prepare.py (as MNIST's), drawing.py (a canvas),
                move.py
    data/       the small digits that stand in for MNIST, written by scripts/make_digits.py
    editor.py   the user's editor on one file
    files.py    bounded reads, atomic writes
    text.py     text from outside, made safe to show

`spec`, `images`, `settings`, `runs` and `analysis` load no torch, so that what needs none answers at once; neither does
the dashboard before its first frame. The presets are in models/, beside this package in a checkout and inside it in a
wheel. The folders of tests/ are those of the package; tests/system/ holds what kills processes, fills disks, uses real
terminals or builds wheels.
"""
