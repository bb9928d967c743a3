"""mnist-tui: the terminal laboratory for small image classifiers. This is the map of the house.

A model and a recipe are PyTorch calls as data, a `RunSpec` holds them, training is a generator of events, and the run
folder is written as the run goes. Each package has its own folder, and each file says in its first line what it is.
`load`, `list_runs` and `train` here are the library (api.py), for scripts and notebooks.
Imports point from the top of this list to its bottom; `lint-imports` checks it:

    cli/        the command line: main.py (the typer app, the entry point); commands in start.py (`mnist-tui` alone,
                --list, --batch), serve.py (--serve), lab.py (opens the dashboard; watch), train.py, repro.py,
                lr_find.py, presets.py and published.py (`--list`, `show`, published figures), own_module.py (`show
                FILE.py:CLASS`), runs.py, notes.py (with tags), trash.py, import_logs.py, export.py, briefs.py,
                compare.py, leaderboard.py, report.py, sweep.py (with sweep_arguments.py, sweep_runs.py and
                sweep_output.py), work.py, analyse.py, explain.py (the coach's rules), classify.py, exam.py, config.py,
                doctor.py; what they share in arguments.py (options made from settings), specs.py (names of presets and
                runs), changes.py (--set), run_table.py (columns and order), text_plots.py, parsing.py, completion.py,
                exit_code.py; output.py (stdout, stderr, signals); batch.py, headless.py, progress_table.py and watch.py
                (events as lines or JSON)
    tui/        the dashboard: request.py (what it is opened with), app.py and its modes (modes.py); runner.py, the
                thread that trains, and run_events.py, what it trains; how it ends (shutdown.py, supervisor.py); what
                all screens share: messages.py, external_editor.py, background.py (a worker thread), dialogs.py,
                help.py, palette.py, keys.py, key_bar.py, text_field.py, status.py, telemetry.py (the device),
                themes.py, view_bar.py, advice_list.py, pixels.py (half blocks), real_pixels.py, sixels.py (an extra),
                terminal.py and clipboard.py, report_dialog.py; what keeps it fast over SSH: diff_driver.py,
                repaint.py, key_queue.py, lag.py
      lab/      screen.py connects the parts: design.py (draft, undo), design_panes.py (the panes that edit it),
                run_control.py, lab_queue.py, varied.py (several values in a field, for a sweep), training.py (the run
                as curves), previews.py, predictor.py, rate_finder.py, followed_brief.py, lines.py; for the worker
                thread jobs.py and brief_reader.py; reference_curve.py (the run to beat); panes.py folds; a file for
                each pane and dialog
      runs/     screen.py, the table of all run folders and details of one; run_actions.py, what its keys do with a run;
                headline.py; queue_pane.py and queue_rows.py, the queue above it; run_screen.py and
                run_views.py, an opened run
      compare/  screen.py and its views: overlay.py, the curves of several runs, and report.py beside them;
                leaderboard_view.py and front_plot.py
      analyse/  screen.py and the views of one run or two: matrix.py, matrix_layout.py and class_scores.py, pictures.py
                and gallery.py, inside_view.py and inside.py (a network from the inside), texts.py, jobs.py
      draw/     screen.py, canvas.py (mouse and keys), answers_view.py, jobs.py
      charts/   run_curves.py (a run as curves), curves.py, canvas.py (braille dots), plot.py, chart.py, zoom.py,
                rates_plot.py (the learning-rate finder)
    serve/      the laboratory in a browser: server.py (routes, WebSocket), access.py (token, Host, Origin), visits.py
                (a process for each visitor), pseudo_terminal.py; page/ is what the browser gets
    sweep/      many runs: jobs.py and worker.py (a process that trains what it is sent), pool.py (several of them),
                preload.py, requests.py (stop and pause for all); train_jobs.py (jobs on whatever trains them),
                side_by_side.py, in_order.py. A sweep: plan.py (what is tried), from vocabulary.py, domains.py (values
                and ranges), designs.py (grid, random, Sobol), space.py, constraints.py, search_options.py and
                sweep_file.py (sweep.toml); folder.py (it on disk), claims.py (who trains which point), results.py (its
                runs), open_sweeps.py (those not done), points.py (what is next), train.py, place.py (where); cost.py
                (time and disk, before); effects.py and report.py (what came of it), report_text.py, report_records.py,
                status.py
      search/   trials.py (what came of each configuration), study.py (Optuna's view of them), proposals.py,
                search_points.py, pruning.py (runs that are stopped early)
      cluster/  runs as tasks of Ray: ray_tasks.py, which has dispatch.py send them to node.py; options.py (what is
                typed), connection.py, processes.py (the end of those of a local Ray), ray_errors.py, mailbox.py (the
                messages), mirror.py (run folders of nodes that do not share the runs directory)
    report/     runs as a report to hand in: gather.py makes the data of model.py from runs (steps.py, changes.py,
                notes.py, predictions.py, epoch_log.py, commands.py, measurements.py), render.py its text by templates/
                (prose.py: what people wrote), writer.py its files; brief_section.py, front_section.py; figures.py in
                curves_svg.py, leaderboard_svg.py and confusion_svg.py (svg.py and svg_chart.py draw them),
                images_png.py
    export/     a run in the formats of other programs: formats.py (the registry), write.py; onnx_model.py,
                torch_program.py (torch.export), weights.py, history_csv.py, event_file.py (TensorBoard); a script of
                its own: script.py and its template, script_layers.py, script_recipe.py, source.py (the layout)
    import_logs/  logs of other programs as runs: sources.py and notebook.py (what is read), terminal_text.py,
                readings.py and quantities.py (what a line tells); forms.py, the registry of text_form.py,
                keras_form.py, table_form.py and tensorboard_form.py; trainings.py, epoch_rows.py (units, and what was
                measured on what); import_file.py, all of it for one file
    training/   from a spec to a trained network; only here is torch used. session.py (a run from end to end), resume.py
                (resume, extend), reproduce.py, loop.py (the generator of events), group.py (trainings that it takes
                through their steps together), state.py (a training between two steps), step.py, evaluation.py,
                checkpoint.py; batches.py, augment.py, transform_arguments.py, batched_transforms.py,
                batched_colours.py, warp.py, elastic.py, mixup.py, data.py, download.py; build.py and
                composite_modules.py (networks); environment.py, estimate.py; fusion.py, batch_norm.py,
                flat_parameters.py, capture.py (CUDA graphs) and eager.py (no compiler to import) make it fast;
                averaging.py (of the weights); lr_finder.py; for screens: preview.py, warm_up.py, predict.py,
                classify.py (drawn digits), activations.py (layer outputs, class maps); exam.py (another test set)
      stacked/  seeds as one network: fit.py (which recipes), session.py, stack.py, step.py, evaluation.py, layers.py,
                weights.py
      own_module/  a process that runs a user's file: load.py, layer_table.py (hooks), chain.py (torch.fx) and
                layer_calls.py (as a preset)
    analysis/   what saved runs say: comparison.py, statistics.py, run_diff.py (two runs); saved_predictions.py,
                confusion.py, mistakes.py, label_errors.py, calibration.py, run_analysis.py (all of it for one run);
                exam.py (how much choosing flattered); as text: tables.py, markdown.py, analysis_report.py, plots.py,
                text_images.py; brief_progress.py and brief_text.py (which run reaches which step of a course brief);
                leaderboard.py, its leaderboard_text.py and leaderboard_scale.py (how it is drawn); published.py
                (published figures beside those of the reference runs); for drawings: axes.py (limits, ticks),
                palette.py (colours, markers)
      coach/    what to change: rules.py (the registry) over curves.py, rates.py, network.py, target.py;
                evidence.py and edits.py (what a rule gets and what it suggests)
    runs/       events.py and metrics.py (what happens in a run, and the registry of its numbers), control.py (stop,
                pause, another rate); on disk: storage.py (the writer), history.py, annotations.py (notes, tags),
                lock.py, lock_holder.py (what run.lock says), queue.py (what waits to be trained), reader.py, record.py,
                spec_text.py and numbers.py (a run as facts), folders.py (the scan of a runs directory), index.py (its
                runs), names.py (ends of names), reproduction.py (a run and its repetition), follow.py (a run of
                another process), trash.py, archive.py, imported.py (the log of another program as a run), reference.py
                (the runs that are shipped, read-only);
                in tables: columns.py, filters.py and filter_syntax.py, sparkline.py, verdict.py; lr_range.py (events of
                the learning-rate finder)
    settings/   model.py (type, default and help of each setting), settings.py (files, environment, and where a value
                comes from), last_used.py
    spec/       what a person may write: calls.py (one PyTorch call as data), catalog.py (optimizers, schedulers,
                losses, transforms), recipe.py, data_spec.py (the data set), run_spec.py (all of it, and the network),
                run_options.py (device, data, folders), presets.py, briefs.py (what a course asks for), toml_files.py
                (where both are found), typed_settings.py (--set), validation_errors.py; what follows from it:
                network.py (the layer table), summary.py and recipe_words.py (both as text), layer_diff.py,
                learning_rate.py; a run while it is designed: draft.py, draft_fields.py, draft_check.py,
                draft_history.py
      layers/   every layer type: registry.py, the rules by family (convolution.py, pooling.py, …, composite.py: layers
                made of layers), argument_types.py, signatures.py, shapes.py, rows.py (cost and receptive field)
    images/     drawn and photographed digits: read.py (PNG, JPEG), prepare.py (as MNIST's), drawing.py, move.py
    datasets/   data sets: record.py (what is known of one), published.py (the table), names.py; on this machine:
                places.py (where the files are, their checks), read.py (as arrays), by formats.py, small_digits.py and
                folder.py (folder:PATH), image_modes.py (16 bits, transparency); test_images.py (of a run, as pictures),
                exam.py (digits nothing was chosen on)
    data/       the small digits that stand in for MNIST
    crash_log.py  this program's own logs: where they are, the traceback of a defect
    editor.py   the user's editor on one file
    files.py    bounded reads, atomic writes; temporary_files.py (their temporary files, and what kills left of them)
    errors.py   one tree of errors, with their exit codes
    processes.py  which process on which machine
    served.py   whether this process is a laboratory in a browser
    table.py    rows as aligned text, Markdown and CSV
    text.py     text from outside, made safe to show; nearest names

`spec`, `settings`, `runs`, `images`, `datasets` and `analysis` load no torch, so that what needs none answers at once;
neither does the dashboard before its first frame. The presets are in models/, the course briefs in briefs/, beside this
package in a checkout and inside it in a wheel. The folders of tests/ are those of the package; tests/system/ holds what
kills processes, fills disks, uses real terminals or builds wheels.
"""

from mnist_tui.api import list_runs, load, train

__all__ = ["list_runs", "load", "train"]
