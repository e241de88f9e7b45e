/** For `prisma generate`, which connects to nothing. */
export default { schema: 'schema.prisma', datasource: { url: 'postgres://127.0.0.1/none' } };
