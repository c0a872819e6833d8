% if note:
<p class="notice">{{note.sentence}} <code>{{note.command}}</code></p>
% end
