% rebase('layout')
<h1>Try {{served.spec.title or served.name}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% if answer and answer.is_provisional:
<noscript><p><a href="{{this_address}}">Reload</a> to see whether the teacher has predicted it.</p></noscript>
% end
% include('predict_form', served=served, inputs=inputs, examples=examples, answer=answer)
