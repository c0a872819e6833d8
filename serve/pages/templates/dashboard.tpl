% rebase('layout')
% from serve.pages.formatting import ago, date, duration, number
% from serve.pages.svg import sparkline
% s = data
<h1 class="quiet">Dashboard</h1>
<section id="traffic" data-live aria-label="Requests">
<dl class="tiles">
<div><dt>Requests a second</dt><dd>{{number(s.traffic.load.requests_per_second, 1)}}</dd></div>
<div><dt>p95, the last second</dt><dd>{{number(s.traffic.load.p95_seconds * 1000, 1) + " ms" if s.traffic.load.requests_per_second else "–"}}</dd></div>
% q = s.traffic.quantiles
<div><dt>Predictions take</dt><dd>{{"p50 ≤ %g, p99 ≤ %g ms" % (q["p50"] * 1000, q["p99"] * 1000) if q else "none yet"}}</dd></div>
<div><dt>Requests since the start</dt><dd>{{format(s.traffic.requests, ",")}}</dd></div>
<div class="{{'bad' if s.traffic.failed + s.traffic.shed else ''}}"><dt>Failed · turned away (overload)</dt><dd>{{format(s.traffic.failed, ",")}} · {{format(s.traffic.shed, ",")}}</dd></div>
</dl>
</section>
% if not s.panels:
<section><h2>No dataset yet</h2>
<p>Draft one from a table, look it over, and load it:</p>
<pre>python -m db infer FILE --target COLUMN
python -m db load NAME.toml
python -m db import NAME FILE
python -m enrich train NAME</pre></section>
% end
% for one in s.panels:
%   include('dataset', panel=one, now=s.now)
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
% if s.paused_at is not None:
<p class="notice">Every worker is paused, since {{date(s.paused_at)}}; go on with <code>python -m enrich resume</code></p>
% end
% if not s.worker_panels:
<p>No worker is there. Start one: <code>python -m enrich run</code></p>
% end
% for panel in s.worker_panels:
%   include('worker', panel=panel, now=s.now, span=s.span_seconds)
% end
</section>
<section id="troubles" data-live>
<h2>Errors and quarantine</h2>
% errors = [panel.report for panel in s.worker_panels if panel.report["error"]]
% if not (errors or s.failures or s.quarantined):
<p>None.</p>
% end
% if errors or s.failures:
<ul>
% for report in errors:
<li>Worker {{report["id"]}}, {{ago(report["error_at"], s.now)}}: {{report["error"]}}</li>
% end
% for run in s.failures:
<li><code>{{run.command}} {{run.dataset}}</code> failed {{ago(run.ended_at, s.now)}}, begun {{date(run.started_at)}}</li>
% end
</ul>
% end
% if s.quarantined:
<div class="wide" tabindex="0" role="region" aria-label="Quarantined records"><table>
<caption>Quarantined last; all of them: <code>python -m enrich quarantine list</code></caption>
<thead><tr><th scope="col">Record</th><th scope="col">Enricher</th><th scope="col">Reason</th><th scope="col">When</th></tr></thead>
<tbody>
% for it in s.quarantined:
<tr><td><a href="/records/{{it.dataset}}/{{it.key}}">{{it.dataset}} {{it.key[:8]}}</a></td><td>{{it.enricher or "any"}}</td><td>{{it.reason}}</td><td>{{ago(it.made_at, s.now)}}</td></tr>
% end
</tbody></table></div>
% end
</section>
<p class="soft" id="as-of" data-live>As of {{date(s.now)}}. <a href="/metrics">Metrics</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/readyz">readiness</a></p>
