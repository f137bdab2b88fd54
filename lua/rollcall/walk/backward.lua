-- Pages read backwards: all users of a page are held until it is whole.

local core = require "rollcall.core"

local backward = {}

--- Holds the users of a page that is read backwards, as they arrive; begins anew if the body is fetched again.
---@param page rollcall.Page
function backward.hold(page)
  local asked = page.exchange
  if page.held_attempt ~= asked.attempts then
    page.held, page.held_attempt = {}, asked.attempts
  end
  local transfer, held = asked.transfer, page.held
  local user = transfer and (transfer:next() or transfer:next())
  while user do
    held[#held + 1] = user
    user = transfer:next() or transfer:next() -- the first nil may only mean that the last byte has arrived
  end
end

--- The head of a page that is read backwards.
---@param page rollcall.Page whole
---@param turn number? seconds after which `next` returns nil although it has more, so that a loop gets its turn: never
---  twice in a row
---@param is_at_limit fun(): boolean
function backward.reversed(page, turn, is_at_limit)
  local list, size = page.held, #page.held
  local turned, told = core.now(), false
  return {
    next = function(self)
      if turn and not told and core.now() - turned >= turn then
        turned, told = core.now(), true
        return nil
      end
      while size > 0 and not is_at_limit() do
        local user = list[size]
        local fresh = page.ledger:take(user)
        if fresh == nil then
          self.is_conflict = true
          return nil
        end
        list[size] = nil
        size = size - 1
        if fresh then
          told = false
          return user
        end
      end
    end,
    conflict = function(self)
      return self.is_conflict == true
    end,
  }
end

return backward
