% rebase('layout')
% from serve.pages.formatting import ago, date, number
<h1 class="quiet">Dashboard</h1>
% if warning:
<p class="notice">{{warning}}</p>
% end
<section id="traffic" data-live aria-label="Requests">
<dl class="tiles">
% traffic, quantiles = data.traffic, data.traffic.quantiles
<div><dt>Requests per second</dt><dd>{{number(traffic.load.requests_per_second, 1)}}</dd></div>
<div><dt>p95, last second</dt><dd>{{number(traffic.load.p95_seconds * 1000, 1) + " ms" if traffic.load.requests_per_second else "–"}}</dd></div>
<div><dt>Time of a prediction</dt><dd>{{"p50 ≤ %g, p99 ≤ %g ms" % (quantiles["p50"] * 1000, quantiles["p99"] * 1000) if quantiles else "none yet"}}</dd></div>
<div><dt>Requests since the start</dt><dd>{{format(traffic.requests, ",")}}</dd></div>
<div class="{{'bad' if traffic.failed + traffic.shed else ''}}"><dt>Failed · turned away (overload)</dt><dd>{{format(traffic.failed, ",")}} · {{format(traffic.shed, ",")}}</dd></div>
</dl>
</section>
% if not data.panels:
<section><h2>No dataset yet</h2>
<p>Write a dataset file from a table, check it, and load it:</p>
<pre>python -m db infer FILE --target COLUMN
python -m db load NAME.toml
python -m db import NAME FILE
python -m enrich train NAME</pre></section>
% end
% for panel in data.panels:
%   include('dataset', panel=panel, now=data.now)
% end
% if hidden:
<section><h2>More datasets</h2><ul>
% for name in hidden:
<li><a href="/?dataset={{name}}">{{name}}</a>: <a href="/try/{{name}}">try it</a>, <a href="/records/{{name}}">records</a></li>
% end
</ul></section>
% end
<section id="workers" data-live>
<h2>Workers</h2>
% if data.paused_at is not None:
<p class="notice">All workers are paused since {{date(data.paused_at)}}. Resume: <code>python -m enrich resume</code></p>
% end
% if not data.worker_panels:
<p>No worker is running. Start one: <code>python -m enrich run</code></p>
% end
% for panel in data.worker_panels:
%   include('worker', panel=panel, now=data.now, span=data.span_seconds)
% end
</section>
<section id="troubles" data-live>
<h2>Errors and quarantine</h2>
% errors = [panel.report for panel in data.worker_panels if panel.report.error]
% if not (errors or data.faults or data.failures or data.quarantined):
<p>None.</p>
% end
% if errors or data.faults or data.failures:
<ul>
% for fault in data.faults:
<li>{{fault.dataset}}: {{fault.subject}} is stopped{{" since " + date(fault.since) if fault.since else ""}}{{": " + fault.reason if shows_rows else ""}}</li>
% end
% for report in errors:
<li>Worker {{report.id}}, {{ago(report.error_at, data.now)}}: {{report.error if shows_rows else "an error, which its log shows"}}</li>
% end
% for run in data.failures:
<li><code>{{run.command}} {{run.dataset}}</code> failed {{ago(run.ended_at, data.now)}}, started {{date(run.started_at)}}{{": " + run.reason if run.reason and shows_rows else ""}}</li>
% end
</ul>
% end
% if data.quarantined and not shows_rows:
<p>Records are in quarantine; list them: <code>python -m enrich quarantine list</code></p>
% elif data.quarantined:
<div class="wide" tabindex="0" role="region" aria-label="Quarantined records"><table>
<caption>The latest quarantined records; list all: <code>python -m enrich quarantine list</code></caption>
<thead><tr><th scope="col">Record</th><th scope="col">Enricher</th><th scope="col">Reason</th><th scope="col">When</th></tr></thead>
<tbody>
% for entry in data.quarantined:
<tr><td><a href="/records/{{entry.dataset}}/{{entry.key}}">{{entry.dataset}} {{entry.key[:8]}}</a></td><td>{{entry.enricher or "any"}}</td><td>{{entry.reason}}</td><td>{{ago(entry.made_at, data.now)}}</td></tr>
% end
</tbody></table></div>
% end
</section>
<p class="soft" id="as-of" data-live>As of {{date(data.now)}}. <a href="/metrics">Metrics</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/readyz">Readiness</a>
% if has_sessions:
· <a href="/key">Sign out</a>
% end
</p>
