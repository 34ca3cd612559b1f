package dev.haven.model;

import com.fasterxml.jackson.annotation.JacksonAnnotationsInside;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/**
 * A list, map or text that a message got after its first version. An older program leaves it out,
 * and then it is read as empty: hosts are upgraded one by one. It is only for what may be empty
 * without harm. A list of guests that is missing is no empty one, and such a message is refused.
 */
@Retention(RetentionPolicy.RUNTIME)
@JacksonAnnotationsInside
@JsonSetter(nulls = Nulls.AS_EMPTY)
public @interface AddedLater {}
