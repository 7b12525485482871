// tools is an Extism module that counts its calls, reads its configuration, judges, logs and aborts.
import { Config, Host, LogLevel, Var } from "@extism/as-pdk";

export function count(): i32 {
  const before = Var.getString("calls");
  const calls = (before === null ? 0 : I32.parseInt(before)) + 1;
  Var.set("calls", Uint8Array.wrap(String.UTF8.encode(calls.toString())));
  const unit = Config.get("unit");
  Host.outputString('{"calls":' + calls.toString() + ',"unit":"' + (unit === null ? "none" : unit) + '","input":"' + Host.inputString() + '"}');
  return 0;
}

export function judge(): i32 {
  const fits = Host.inputString().includes('"accuracy":1');
  Host.outputString('{"outcome":"' + (fits ? "pass" : "review") + '","reasons":["it was read"]}');
  return 0;
}

export function speak(): i32 {
  Host.log(LogLevel.Warn, "spoken by AssemblyScript");
  return 0;
}

export function crash(): i32 {
  if (Host.input().length == 0) throw new Error("nothing to do");
  return 0;
}
