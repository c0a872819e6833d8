% rebase('layout')
% name = dataset
% from db.scoring.library_versions import describe_versions
% from serve.pages.formatting import count, duration
% from serve.pages.time_text import time_tag
% metrics = model.metrics
<h1>{{title}}</h1>
% if has_old_listings:
<p class="notice">{{_("It is active. The lists of records still show the answers of the version before: this model has too many to rewrite them here. Run")}} <code>python -m enrich activate {{title}}</code></p>
% end
% include('models_activate', name=name, model=model, may_change=may_change)
<p><a href="/models/{{name}}">{{_("All versions")}}</a>
% if older:
· <a href="/models/{{name}}/{{older.version}}..{{model.version}}">{{_("Compare with {version}").format(version=f"{name}@{older.version}")}}</a>
% end
</p>
% include('model_metrics', name=name, metrics=metrics, heading="h2", has_links=model.active)
<h2>{{_("How it was made")}}</h2>
<dl class="facts">
<dt>{{_("Trained")}}</dt><dd>{{!time_tag(model.made_at)}}
% if run:
<span class="soft">{{_("in {duration}").format(duration=duration(run.seconds))}}</span>
% end
</dd>
% rows, records = metrics.get("rows", 0), metrics.get("records", metrics.get("rows", 0))
<dt>{{_("Labelled rows")}}</dt><dd>{{count(rows)}}
% if records != rows:
<span class="soft">{{ngettext("of {count} record", "of {count} records", records).format(count=count(records))}}</span>
% end
</dd>
% if run and shows_reason:
<dt>{{_("Decision")}}</dt><dd>{{run.reason}}</dd>
% end
<dt>{{_("Teacher")}}</dt><dd>{{metrics.get("estimator", "–")}}</dd>
<dt>{{_("Student")}}</dt><dd>{{_("the teacher itself") if metrics.get("student_is_teacher") else metrics.get("student_estimator", "–")}}</dd>
<dt>{{_("Columns read")}}</dt><dd>{{", ".join(metrics.get("columns", [])) or "–"}}</dd>
<dt>{{_("Libraries")}}</dt><dd>{{describe_versions(model.libraries.made) or _("not known")}}</dd>
</dl>
