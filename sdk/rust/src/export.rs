/// Makes a type the module's plugin: `weir::export!(Scaler: transform, row);`. The worlds are `transform`, `metric`, `gate` and
/// `handler`, for each of which the type implements the trait of that name; `row` beside transform wants [`crate::TransformRow`].
/// Use it once, in a crate of the type cdylib. Natively it exports nothing.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($world:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static PLUGIN: $crate::rt::Slot<$plugin> = $crate::rt::Slot::new();
            #[no_mangle]
            pub extern "C" fn weir_abi_version() -> i32 { 1 }
            #[no_mangle]
            pub extern "C" fn weir_alloc(size: u32) -> *mut u8 { $crate::rt::alloc(size) }
            #[no_mangle]
            pub extern "C" fn weir_free(at: *mut u8, size: u32) { $crate::rt::free(at, size) }
            #[no_mangle]
            pub extern "C" fn weir_error() -> u64 { $crate::rt::error() }
            #[no_mangle]
            pub extern "C" fn weir_describe() -> u64 { PLUGIN.get().describe(&[$(::core::stringify!($world)),+]) }
            #[no_mangle]
            pub extern "C" fn weir_init(at: u32, n: u32) -> i32 { PLUGIN.get().init(at, n) }
            #[no_mangle]
            pub extern "C" fn weir_schema() -> u64 { PLUGIN.get().schema() }
            $($crate::__export_world!($world);)+
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = { $($crate::__check_world!($plugin, $world);)+ };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_world {
    (transform) => {
        #[no_mangle]
        pub extern "C" fn weir_transform(batch: u32) -> u32 { PLUGIN.get().transform(batch) }
    };
    (row) => {
        #[no_mangle]
        pub extern "C" fn weir_row(row: u32) -> u32 { PLUGIN.get().row(row) }
    };
    (metric) => {
        #[no_mangle]
        pub extern "C" fn weir_metric_update(side: u32, batch: u32) -> i32 { PLUGIN.get().update(side, batch) }
        #[no_mangle]
        pub extern "C" fn weir_metric_state() -> u64 { PLUGIN.get().state() }
        #[no_mangle]
        pub extern "C" fn weir_metric_merge(at: u32, n: u32) -> i32 { PLUGIN.get().merge(at, n) }
        #[no_mangle]
        pub extern "C" fn weir_metric_finish() -> u64 { PLUGIN.get().finish() }
        #[no_mangle]
        pub extern "C" fn weir_metric_reset() -> i32 { PLUGIN.get().reset() }
    };
    (gate) => {
        #[no_mangle]
        pub extern "C" fn weir_gate(at: u32, n: u32) -> u64 { PLUGIN.get().gate(at, n) }
    };
    (handler) => {
        #[no_mangle]
        pub extern "C" fn weir_handle(at: u32, n: u32) -> u64 { PLUGIN.get().handle(at, n) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __check_world {
    ($plugin:ty, transform) => { const fn transform<T: $crate::Transform>() {} transform::<$plugin>(); };
    ($plugin:ty, row) => { const fn row<T: $crate::TransformRow>() {} row::<$plugin>(); };
    ($plugin:ty, metric) => { const fn metric<T: $crate::Metric>() {} metric::<$plugin>(); };
    ($plugin:ty, gate) => { const fn gate<T: $crate::Gate>() {} gate::<$plugin>(); };
    ($plugin:ty, handler) => { const fn handler<T: $crate::Handler>() {} handler::<$plugin>(); };
}
