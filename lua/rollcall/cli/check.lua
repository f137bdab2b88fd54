return { summary = "x", declare = function() end, run = function() return 0 end }
