% from serve.pages.formatting import ago, duration, number
% from serve.pages.svg import sparkline
% report = panel.report
<article class="worker" aria-label="Worker {{report["id"]}}">
<h3>Worker {{report["id"]}} on {{report["host"]}} <span class="badge {{'fine' if report["state"] == "open" else 'warn'}}">{{report["state"]}}</span></h3>
<p>{{report["reason"] or "It works."}} <span class="soft">For {{duration(max(now - report["since"], 0))}}; open {{"%.0f %%" % (100 * report["open_share"])}} of its time; {{format(report["records"], ",")}} records done, {{number(report["rate"], 0)}} a second while at work.</span></p>
% plots = (("open_share", "Open", "%", 100, None), ("foreign_cores", "CPU of others", "cores", 1, "close_cores"), ("memory_share", "Memory free", "%", 100, "close_memory"), ("web_requests", "Web", "requests/s", 1, "web_requests"), ("stalled_share", "Stalled", "%", 100, "pressure"))
<ul class="sparks">
% for figure, label, unit, times, limit in plots:
% points = panel.figure(figure)
% if points:
% most = panel.limits.get(limit)
% top = 1.0 if unit == "%" else max([value for _, value in points] + [1.2 * most if most and most < 1000 else 0])
<li>{{!sparkline(points, span, top, most)}}<span>{{label}} <b>{{number(points[-1][1] * times, 0 if unit == "%" else 1)}} {{unit}}</b>
% if most is not None:
<span class="soft">limit {{number(most * times, 0 if unit == "%" else 1)}}</span>
% end
</span></li>
% end
% end
</ul>
% if not panel.hour:
<p class="soft">Its readings of the last hour appear here, one every ten seconds.</p>
% else:
<p class="soft">The last hour, now on the right; the dashed line is the limit.</p>
% end
</article>
