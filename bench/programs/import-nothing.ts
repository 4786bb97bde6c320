// As little as a module can hold: what Node costs by itself.
export {}
