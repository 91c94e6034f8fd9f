// The part of a catalogue that the build keeps for views beyond the first (tools/slim.ts).
declare module '*.json?later' {
  const texts: Record<string, string | Record<string, string>>
  export default texts
}
