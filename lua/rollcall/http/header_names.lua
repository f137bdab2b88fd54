-- Names of headers that a provider may declare for its requests.

local schema = require "rollcall.schema"

local header_names = {}

-- Headers that a provider must not set, and why.
local OWN = { authorization = "use auth for it", host = "it follows from base_url",
  ["content-length"] = "it follows from the body", ["content-type"] = "it is the collection's content_type",
  ["user-agent"] = "it is an option of the client", ["transfer-encoding"] = "it follows from the body",
  connection = "it is the connection's own", expect = "no request waits for it",
  ["accept-encoding"] = "it says what libcurl can undo" }

--- The name of a header that nothing else sets.
header_names.free = { type = "string", expected = schema.header_name.expected, test = function(value)
  return OWN[value:lower()] or schema.header_name.test(value)
end }

--- The same, or Authorization: for credentials.
header_names.of_auth = { type = "string", expected = schema.header_name.expected, test = function(value)
  return value:lower() == "authorization" or header_names.free.test(value)
end }

return header_names
