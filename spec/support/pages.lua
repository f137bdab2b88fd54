-- Answers as Tesouro gives them, made for the scripted server.

local pages = {}

local function token(text)
  return text and '"' .. text .. '"' or "null"
end

--- A page with users of these ids, which are separated by spaces, and the tokens of the pages around it.
---@param ids string
---@param after string?
---@param before string?
function pages.page(ids, after, before)
  local users = {}
  for id in ids:gmatch "%S+" do
    users[#users + 1] = ('{"id":"%s","name":"user %s"}'):format(id, id)
  end
  return { body = ('{"data":[%s],"nextPaginationToken":%s,"prevPaginationToken":%s}'):format(table.concat(users, ","),
    token(after), token(before)) }
end

return pages
