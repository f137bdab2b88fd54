-- Who may ask for tokens. The secret has characters that a form body must escape.

local clients = {
  id = "sandbox-client",
  secret = "not+secret/100%41=",
}

-- Beside the client itself there are any number of others, "sandbox-client-2" and so on, with the same secret: each
-- has a rate limit of its own.
function clients.known(id, secret)
  if type(id) ~= "string" or secret ~= clients.secret then return false end
  return id == clients.id or id:match "^sandbox%-client%-%d+$" ~= nil
end

return clients
