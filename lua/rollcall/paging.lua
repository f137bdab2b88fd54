-- The paging types a provider can name. Each is a module of its own with the same entries: schema,
-- options, captures, first, apply and after.

---@class rollcall.Position where a page is: what its paging type needs to ask for it
---@field token string?

return {
  none = require "rollcall.paging.none",
  cursor = require "rollcall.paging.cursor",
}
