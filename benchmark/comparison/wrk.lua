-- Sends the paths of a file in turn; with VARY, each path is followed by it, by a number of its own
-- and by a 1, so that none repeats: without the 1, 12.32 and 12.320 would be the same input. Prints
-- one line of JSON at the end.

local paths, count = {}, 0
for line in io.lines(os.getenv("PATHS")) do
  paths[#paths + 1] = line
end
local vary = os.getenv("VARY")

function request()
  count = count + 1
  local path = paths[(count - 1) % #paths + 1]
  if vary ~= "" then
    path = path .. vary .. count .. "1"
  end
  return wrk.format("GET", path)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "rate": %.1f, "failures": %d, "p50": %.3f, "p95": %.3f, "p99": %.3f}\n',
    summary.requests,
    summary.requests / (summary.duration / 1e6),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000,
    latency:percentile(95) / 1000,
    latency:percentile(99) / 1000
  ))
end
