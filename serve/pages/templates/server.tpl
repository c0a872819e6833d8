% rebase('layout')
% from serve.pages.formatting import ago, count, date, number
% from serve.pages.guide.term import term
% from serve.pages.home.worker_panel import GATE_WORDS
% from db.queue.workers.gate_history import KEEP_SECONDS
<h1>{{_("Server")}}</h1>
% if warning:
<p class="notice">{{warning}}</p>
% end
<section id="traffic" data-live aria-label="{{_("Requests")}}">
% load, quantiles = traffic.load, traffic.quantiles
<dl class="tiles">
<div><dt>{{_("Requests per second")}}</dt><dd>{{number(load.requests_per_second, 1)}}</dd></div>
<div><dt>{{!term("p95")}}, {{_("last second")}}</dt><dd>{{number(load.p95_seconds * 1000, 1) + " ms" if load.requests_per_second else "–"}}</dd></div>
<div><dt>{{_("Time of a prediction")}}</dt><dd>{{_("p50 ≤ {p50} ms, p99 ≤ {p99} ms").format(p50="%g" % (quantiles["p50"] * 1000), p99="%g" % (quantiles["p99"] * 1000)) if quantiles else _("none yet")}}</dd></div>
<div><dt>{{_("Requests since the start")}}</dt><dd>{{count(traffic.requests)}}</dd></div>
<div class="{{'bad' if traffic.failed else ''}}"><dt>{{_("Failed")}}</dt><dd>{{count(traffic.failed)}}</dd></div>
<div class="{{'bad' if traffic.turned_away else ''}}"><dt>{{!term("turned-away", _("Turned away"))}}</dt><dd>{{count(traffic.turned_away)}}</dd></div>
% if traffic.memory_bytes:
<div><dt>{{_("Memory of each web process")}}</dt><dd>{{", ".join(number(size / 2**20, 0) for size in traffic.memory_bytes.values())}} MiB</dd></div>
% end
</dl>
</section>
<section id="workers" data-live>
<h2>{{!term("worker", _("Workers"))}}</h2>
% if data.paused_at is not None:
<p class="notice">{{_("All workers are paused since {date}. Resume:").format(date=date(data.paused_at))}} <code>python -m enrich resume</code></p>
% end
% if not data.workers:
<p>{{_("No worker is running. Start one:")}} <code>python -m enrich run</code></p>
% end
% for at, panel in enumerate(data.workers):
%   include('worker', panel=panel, now=data.now, span=KEEP_SECONDS, gate_words=GATE_WORDS, first=not at)
% end
</section>
<section id="troubles" data-live>
<h2>{{_("Errors and quarantine")}}</h2>
% troubles = data.troubles
% errors = [panel.report for panel in data.workers if panel.report.error]
% if not (errors or troubles.faults or troubles.failures or troubles.quarantined):
<p>{{_("None.")}}</p>
% end
% if errors or troubles.faults or troubles.failures:
<ul>
% for fault in troubles.faults:
<li>{{_("{dataset}: {subject} is stopped").format(dataset=fault.dataset, subject=fault.subject)}}{{" (" + date(fault.since) + ")" if fault.since else ""}}{{colon + fault.reason if shows_rows else ""}}</li>
% end
% for report in errors:
<li>{{_("Worker {worker}, {ago}:").format(worker=report.id, ago=ago(report.error_at, data.now))}} {{report.error if shows_rows else _("an error, which its log shows")}}</li>
% end
% for run in troubles.failures:
<li><code>{{run.command}} {{run.dataset}}</code> {{_("failed {ago}, started {date}").format(ago=ago(run.ended_at, data.now), date=date(run.started_at))}}{{colon + run.reason if run.reason and shows_rows else ""}}</li>
% end
</ul>
% end
% if troubles.quarantined and not shows_rows:
<p>{{!term("quarantine", _("Quarantine:"))}} <code>python -m enrich quarantine list</code></p>
% elif troubles.quarantined:
<p>{{!term("quarantine", _("Quarantine:"))}} {{_("the latest records; list all:")}} <code>python -m enrich quarantine list</code></p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Quarantined records")}}"><table>
<thead><tr><th scope="col">{{_("Record")}}</th><th scope="col">{{_("Enricher")}}</th><th scope="col">{{_("Reason")}}</th><th scope="col">{{_("When")}}</th></tr></thead>
<tbody>
% for entry in troubles.quarantined:
<tr><td><a href="/records/{{entry.dataset}}/{{entry.key}}">{{entry.dataset}} {{entry.key[:8]}}</a></td><td>{{entry.enricher or _("any")}}</td><td>{{entry.reason}}</td><td>{{ago(entry.made_at, data.now)}}</td></tr>
% end
</tbody></table></div>
% end
</section>
<p class="soft" id="as-of" data-live>{{_("As of {date}.").format(date=date(data.now))}} <a href="/metrics">{{_("Metrics")}}</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/readyz">{{_("Readiness")}}</a>
% if has_sessions:
· <a href="/key">{{_("Sign out")}}</a>
% end
</p>
