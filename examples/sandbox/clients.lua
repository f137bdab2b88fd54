-- The clients that may request tokens. The secret has characters that a form body must escape.

local clients = {
  id = "sandbox-client",
  secret = "not+secret/100%41=",
}

-- Besides this client there are any number of others, "sandbox-client-2" and so on, with the same secret and their own
-- rate limits.
function clients.known(id, secret)
  if type(id) ~= "string" or secret ~= clients.secret then return false end
  return id == clients.id or id:match "^sandbox%-client%-%d+$" ~= nil
end

return clients
