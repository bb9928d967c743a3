"""mnist-tui: the terminal laboratory for small image classifiers. This is the map of the house.

A model and a recipe are PyTorch calls as data, a `RunSpec` holds them, training is a generator of events, and the run
folder is written as the run goes. Each package has its own folder, and each file says in its first line what it is.
Imports point from the top of this list to its bottom; `lint-imports` checks it:

    cli/        the command line: main.py (the typer app, the entry point); commands in start.py (`mnist-tui` alone,
                --list, --batch), lab.py (opens the dashboard; watch), train.py, lr_find.py, presets.py, runs.py,
                compare.py, analyse.py, explain.py (the coach's rules), classify.py, config.py, doctor.py,
                import_logs.py and own_module.py (`show FILE.py:CLASS`); what they
                share in arguments.py (options made from settings), changes.py (--set), parsing.py, completion.py,
                exit_code.py; headless.py and watch.py (events as lines or JSON)
    tui/        the dashboard: request.py (what it is opened with), app.py and its modes (modes.py); runner.py, the
                thread that trains; how it ends (shutdown.py, supervisor.py); what all screens share: messages.py,
                background.py (a worker thread), dialogs.py, help.py, keys.py, key_bar.py, text_field.py, status.py,
                telemetry.py (the device), themes.py, view_bar.py, advice_list.py, pixels.py (half blocks),
                real_pixels.py and sixels.py (an extra), terminal.py and clipboard.py; what keeps it fast over SSH:
                diff_driver.py, repaint.py, key_queue.py, lag.py
      lab/      screen.py connects the parts: design.py (draft, undo), design_panes.py (the panes that edit it),
                run_control.py, training.py (the run as curves), previews.py, predictor.py, rate_finder.py, lines.py,
                jobs.py (for the worker thread); panes.py folds; a file for each pane and dialog
      runs/     screen.py, the table of all run folders and details of one; run_screen.py, the views of an opened run
      compare/  screen.py and overlay.py, the curves of several runs
      analyse/  screen.py and the views of one run or two: matrix.py and class_scores.py, pictures.py and gallery.py,
                inside_view.py and inside.py (a network from the inside), texts.py, jobs.py
      draw/     screen.py, canvas.py (mouse and keys), answers_view.py, jobs.py
      charts/   run_curves.py (a run as curves), curves.py, canvas.py (braille dots), plot.py, chart.py, zoom.py,
                rates_plot.py (the learning-rate finder)
    report/     runs as a report to hand in
    export/     a run in the formats of other programs
    import_logs/  logs of other programs as runs: sources.py and notebook.py (what is read), terminal_text.py,
                readings.py and quantities.py (what a line tells); forms.py, the registry of text_form.py,
                keras_form.py, table_form.py and tensorboard_form.py; trainings.py, epoch_rows.py (units, and what was
                measured on what); import_file.py, all of it for one file
    training/   from a spec to a trained network; only here is torch used. session.py (a run from end to end), resume.py
                (resume, extend), loop.py (the generator of events), state.py (a training between two steps), step.py,
                evaluation.py, checkpoint.py; batches.py, augment.py, data.py, download.py; build.py and
                composite_modules.py (networks); environment.py, estimate.py; fusion.py, batch_norm.py and
                flat_parameters.py make it fast; lr_finder.py; for screens: preview.py, warm_up.py, predict.py,
                classify.py (drawn digits), activations.py (layer outputs, class maps)
      own_module/  a process that runs a user's file: load.py, layer_table.py (hooks), chain.py (torch.fx) and
                layer_calls.py (as a preset)
    analysis/   what saved runs say: comparison.py, statistics.py, run_diff.py (two runs); saved_predictions.py,
                confusion.py, mistakes.py, label_errors.py, calibration.py, run_analysis.py (all of it for one run); as
                text: tables.py, markdown.py, analysis_report.py, plots.py, text_images.py
      coach/    what to change: rules.py (the registry) over curves.py, rates.py, network.py, target.py;
                evidence.py and edits.py (what a rule gets and what it suggests)
    runs/       events.py and metrics.py (what happens in a run, and the registry of its numbers), control.py (stop,
                pause, another rate); on disk: storage.py (the writer), history.py, annotations.py (notes, tags),
                lock.py, reader.py, record.py and spec_text.py (a run as facts), index.py (the scan of a runs
                directory), follow.py (a run of another process), trash.py, archive.py,
                imported.py (the log of another program as a run); in tables: columns.py,
                filters.py, sparkline.py, verdict.py; lr_range.py (events of the learning-rate finder)
    settings/   model.py (type, default and help of each setting), settings.py (files, environment, and where a value
                comes from), last_used.py
    spec/       what a person may write: calls.py (one PyTorch call as data), catalog.py (optimizers, schedulers,
                losses, transforms), recipe.py, run_spec.py (network, recipe, target), run_options.py (device, data,
                folders), presets.py, typed_settings.py (--set), validation_errors.py; what follows from it: network.py
                (the layer table), summary.py, layer_diff.py, learning_rate.py; a run while it is designed: draft.py,
                draft_fields.py, draft_check.py, draft_history.py
      layers/   every layer type: registry.py, the rules by family (convolution.py, pooling.py, …, composite.py: layers
                made of layers), argument_types.py, signatures.py, shapes.py, rows.py (cost and receptive field)
    images/     drawn and photographed digits: read.py (PNG, JPEG), prepare.py (as MNIST's), drawing.py, move.py
    data/       the small digits that stand in for MNIST
    editor.py   the user's editor on one file
    files.py    bounded reads, atomic writes
    errors.py   one tree of errors, with their exit codes
    text.py     text from outside, made safe to show; nearest names

`spec`, `settings`, `runs`, `images` and `analysis` load no torch, so that what needs none answers at once; neither does
the dashboard before its first frame. The presets are in models/, beside this package in a checkout and inside it in a
wheel. The folders of tests/ are those of the package; tests/system/ holds what kills processes, fills disks, uses real
terminals or builds wheels.
"""
