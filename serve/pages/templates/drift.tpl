% from serve.pages.guide.term import term
% from serve.pages.over_time.drift_data import drift_badge, drift_words
<p>{{!term("drift", _("Drift"))}}{{colon}}<a class="badge {{drift.level}}" href="/over-time/{{name}}#drift">{{drift_badge(drift)}}</a> {{drift_words(drift)}}
% if drift.level in {"warn", "bad"}:
<a href="/records/{{name}}?show=asked">{{_("Look at what is asked")}}</a>
% end
</p>
