-- The names of the options that every client takes, whatever its provider. Reserved: a provider's options must not use
-- them.

return {
  "base_url", "ca_file", "client_cert", "client_id", "client_key", "client_secret", "connect_timeout", "environment",
  "headers", "idle_timeout", "insecure", "loop", "max_depth", "max_header_bytes", "max_page_bytes", "max_user_bytes",
  "on", "password", "proxy", "query_names", "retry", "token", "user_agent", "username", "watermark",
}
