-- :Rollcall {provider} [{option}={value} ...] lists a user directory in a buffer, as its users arrive.

if vim.g.loaded_rollcall then
  return
end
vim.g.loaded_rollcall = true

vim.api.nvim_create_user_command("Rollcall", function(command)
  require("rollcall_nvim").command(command.fargs)
end, {
  nargs = "+",
  desc = "List a user directory",
  complete = function(lead, line)
    return require("rollcall_nvim").complete(lead, line)
  end,
})
