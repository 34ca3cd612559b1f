package dev.haven.model.api;

import dev.haven.model.RequestId;

/**
 * One request to change something.
 *
 * @param request the client's name for it: sent again, it is answered and not done again
 * @param dryRun say what would be done, and do nothing
 */
public record CommandRequest(RequestId request, Command command, boolean dryRun) {}
