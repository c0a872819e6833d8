% from serve.pages.jobs.job_view import size_text
% if not most_bytes:
<p class="notice">{{_("Uploads are off on this server, because UPLOAD_MIB is 0.")}}</p>
% elif not may_change:
<p class="notice">{{_("Sending a file needs an API key.")}} <a href="/key?next={{quoted(here)}}">{{_("Sign in with a key from API_KEYS")}}</a></p>
% else:
<form class="upload" method="post" action="{{here}}" enctype="multipart/form-data">
<label class="drop" data-most-bytes="{{most_bytes}}" data-too-large="{{_("This file is larger than the server takes.")}}"><span>{{_("File: CSV, Excel, JSON or Parquet, up to {size}; choose it, or drop it here").format(size=size_text(most_bytes))}}</span><input name="file" type="file" accept="{{",".join(suffixes)}}" required></label>
% if choices:
%   include('job_choices')
% end
<button>{{button}}</button>
</form>
% end
