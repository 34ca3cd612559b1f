/** The configuration files of the daemons and the CLI: YAML, read strictly. */
@NullMarked
package dev.haven.model.config;

import org.jspecify.annotations.NullMarked;
