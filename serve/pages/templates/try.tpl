% if answer and answer.said.enrichment == "queued":
% rebase('layout', refresh=5)
% else:
% rebase('layout')
% end
<h1>Try {{served.spec.title or served.name}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% include('trial', served=served, given=given, examples=examples, answer=answer)
