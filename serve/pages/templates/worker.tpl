% from serve.pages.formatting import duration, number
% from serve.pages.svg import sparkline
% report = panel.report
% activity = {"open": "Working", "suspended": "Suspended"}.get(report.state, "Waiting")
<article class="worker" aria-label="Worker {{report.id}}">
<h3>Worker {{report.id}} on {{report.host}} <span class="badge {{'fine' if report.state == "open" else 'warn'}}">{{report.state}}</span></h3>
<p>{{activity}} for {{duration(max(now - report.since, 0))}}{{": " + report.reason if report.reason else ""}}. <span class="soft">Gate open {{"%.0f %%" % (100 * report.open_share)}} of the time; {{format(report.records, ",")}} records enriched, {{number(report.rate, 0)}} per second of work.</span></p>
% charts = (("open_share", "Gate open", "%", 100, None), ("foreign_cores", "CPU of other programs", "cores", 1, "close_cores"), ("memory_share", "Memory free", "%", 100, "close_memory"), ("web_requests", "Web requests", "/s", 1, "web_requests"), ("stalled_share", "Stalled", "%", 100, "pressure"))
<ul class="sparks">
% for reading, label, unit, factor, limit_name in charts:
% points = panel.readings(reading)
% if points:
% limit = panel.limits.get(limit_name)
% top = 1.0 if unit == "%" else max([value for _, value in points] + [1.2 * limit if limit and limit < 1000 else 0])
<li>{{!sparkline(points, span, top, limit)}}<span>{{label}} <b>{{number(points[-1][1] * factor, 0 if unit == "%" else 1)}} {{unit}}</b>
% if limit is not None:
<span class="soft">limit {{number(limit * factor, 0 if unit == "%" else 1)}}</span>
% end
</span></li>
% end
% end
</ul>
% if not panel.hour:
<p class="soft">The readings of the last hour appear here, one every ten seconds.</p>
% else:
<p class="soft">The last hour, ending now on the right; the dashed line is the limit.</p>
% end
</article>
