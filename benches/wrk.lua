-- Prints one line of JSON: how many answers there were, and their latencies in microseconds.
done = function(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"answers": %d, "errors": %d, "median": %.1f, "p99": %.1f}\n',
        summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
