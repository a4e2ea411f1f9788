-- Wrong passwords in a row where somebody was to show once more that it is them. A few too many end the
-- sign-in: whoever has got hold of a session must not guess on.
ALTER TABLE sign_ins ADD COLUMN wrong_passwords INTEGER NOT NULL DEFAULT 0;
