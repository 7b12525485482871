// echo is an Extism module that answers its input.
import { Host } from "@extism/as-pdk";

export function echo(): i32 {
  Host.output(Host.input());
  return 0;
}
