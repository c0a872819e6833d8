% from serve.pages.formatting import count, percent
% from serve.pages.over_time.bin_bars import bin_bars
% from serve.pages.over_time.input_drift import MOST_ROWS
% from serve.pages.over_time.drift_data import drift_badge, drift_verdict
<section aria-labelledby="inputs">
<h2 id="inputs">{{_("Drift of inputs")}}</h2>
% if inputs is None:
<p>{{_("Inputs are shown only to those who may list records.")}} <a href="/key?next=/over-time/{{name}}">{{_("Sign in")}}</a></p>
% elif not inputs.trained:
<p class="soft">{{_("No record has a label yet, so there is nothing to compare with.")}}</p>
% elif not inputs.asked:
<p class="soft">{{_("Nothing has been asked in this time.")}}</p>
% else:
<p class="soft">{{_("Made from {asked} of the latest answers whose inputs are stored, and from {trained} labelled records. One field can have several rows; the largest drift comes first.").format(asked=count(inputs.asked), trained=count(inputs.trained))}}</p>
<p class="legend"><span class="key rest"></span>{{_("in training")}} <span class="key student"></span>{{_("now")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Fields and their drift")}}"><table>
<thead><tr><th scope="col">{{_("Field")}}</th><th scope="col">{{_("Training and now")}}</th><th scope="col">{{_("Drift")}}</th><th scope="col">{{_("Largest change")}}</th></tr></thead><tbody>
% for field in inputs.fields[:MOST_ROWS]:
% change = field.largest_change
<tr><th scope="row">{{field.field}} <span class="soft">{{field.aspect}}</span></th><td>{{!bin_bars(field.shares)}}</td><td><span class="badge {{field.drift.level}}">{{drift_badge(field.drift)}}</span> <span class="soft">{{drift_verdict(field.drift)}}</span></td><td>{{_("{bin}: from {before} to {now}").format(bin=change.name, before=percent(change.trained), now=percent(change.now))}}</td></tr>
% end
</tbody></table></div>
% if inputs.fields[MOST_ROWS:]:
<p class="soft">{{ngettext("{count} more row has less drift.", "{count} more rows have less drift.", len(inputs.fields) - MOST_ROWS).format(count=count(len(inputs.fields) - MOST_ROWS))}}</p>
% end
% end
</section>
