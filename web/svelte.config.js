/** Components are compiled in runes mode; warnings about access are errors in `npm run check`. */
export default { compilerOptions: { runes: true } };
