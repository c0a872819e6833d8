% rebase('layout')
<h1>Try {{served.spec.title or served.name}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% if answer and answer.answer.enrichment == "queued":
<noscript><p><a href="{{again}}">Look again</a> whether the teacher has answered.</p></noscript>
% end
% include('predict_form', served=served, given=given, examples=examples, answer=answer)
